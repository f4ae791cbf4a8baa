"""`zoo.serve`: answers HTTP requests with a stored model."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from benchmark.runs.deployment.decision_rule import Prediction
from benchmark.runs.deployment.model_files import averaged_in_words, reference_note, stored_models
from benchmark.runs.deployment.multiclass import AnyPrediction, any_decider_of
from benchmark.runs.deployment.predictions import Predictor
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.export.decision_file import ExportedModel, decision_document
from zoo.api.arguments.inputs import PathLike, resolve_run, resolve_store
from zoo.api.arguments.rules import under_rule
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.config.arguments import real, text, whole
from zoo.config.errors import ConfigError

HOST, PORT, MOST_MIB, MOST_MEGAPIXELS = "127.0.0.1", 8000, 20.0, 25.0
"""The defaults."""

_PACKAGES = {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


def serve(
    run: str | Run,
    *,
    store: PathLike | Store = "runs",
    data: PathLike | None = None,
    protocol: str | None = None,
    threshold_rule: str | None = None,
    decision: str | None = None,
    host: str = HOST,
    port: int = PORT,
    max_mib: float = MOST_MIB,
    max_megapixels: float = MOST_MEGAPIXELS,
    on_message: OnMessage = silent,
) -> None:
    """Answer HTTP requests with a stored model until Ctrl-C, as `zoo serve` does.

    Args:
        run: As in `predict`.
        store: The folder that contains the runs, or a Store.
        data: As in `predict`.
        protocol: As in `predict`.
        threshold_rule: As in `predict`.
        decision: As in `predict`.
        host: The address to listen on. Others than loopback are reachable from other machines.
        port: The port, 0 to 65535; 0 chooses a free one.
        max_mib: The largest body of a request, in MiB.
        max_megapixels: The largest image, in million pixels.
        on_message: Called with each warning, and with the address when the service is ready.

    Raises:
        ConfigError: The run is unknown, its model was not stored, an argument is out of range, the port is in use, or
            a library is not installed.
    """
    missing = [name for module, name in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(f"zoo serve needs {' and '.join(missing)}; pip install 'zoo-bench[serve]'")
    import uvicorn

    from benchmark.runs.deployment.service import Limits, make_app

    limits = Limits(
        most_bytes=int(_above_zero("max_mib", max_mib) * 2**20),
        most_pixels=int(_above_zero("max_megapixels", max_megapixels) * 10**6),
    )
    text("host", host, "an address such as 127.0.0.1")
    whole("port", port, 0, 65535)
    messages = Messages(on_message)
    source = resolve_store(store)
    chosen = under_rule(resolve_run(run, source, messages, data, protocol), source, threshold_rule, decision, messages)
    facts, prepare, predict = _model(chosen, source)
    with _listen(host, port) as listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        if not _is_loopback(host):
            messages.warn(
                f"--host {host}: other machines can reach this service, which has no password and no encryption"
            )
        hosts = ["127.0.0.1", "localhost", "[::1]", "::1"] if _is_loopback(host) else ["*"]
        app = make_app(facts, prepare, predict, limits, hosts)
        # uvicorn's own configuration of logging would close the handlers of other libraries.
        config = uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, server_header=False, lifespan="off"
        )
        on_message(
            f"serving {chosen.spec.card.name} seed {chosen.spec.seed}, run {chosen.run_id}, on {address}; "
            "Ctrl-C ends it"
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _model(
    run: Run, store: Store
) -> tuple[dict[str, Any], Callable[[bytes, int], Any], Callable[[Any], dict[str, Any]]]:
    """The facts of decision.json, and the functions that prepare and predict an image."""
    stored_models(run, store)  # reports a missing model before Keras is loaded
    decider = any_decider_of(run, store)
    predictor = Predictor(run, store, decider)
    facts = decision_document(run, decider, ExportedModel({"size": predictor.size, "channels": predictor.channels}))
    if (averaged := averaged_in_words(run)) is not None:
        facts["scores"] = averaged
    facts["unlike"] = reference_note(run, store)
    predictor.warm_up()

    def predict(image: Any) -> dict[str, Any]:
        return _answer(predictor.predict_prepared(image), decider.classes)

    return facts, predictor.prepare, predict


def _answer(prediction: AnyPrediction, classes: tuple[str, ...]) -> dict[str, Any]:
    if prediction.error is not None:
        raise ValueError(prediction.error)
    if isinstance(prediction, Prediction):
        assert prediction.probability is not None
        assert prediction.score is not None
        probabilities = dict(zip(classes, (1 - prediction.probability, prediction.probability), strict=True))
        scores = dict(zip(classes, (1 - prediction.score, prediction.score), strict=True))
    else:
        probabilities, scores = prediction.probabilities, prediction.scores
    return {
        "decision": prediction.decision,
        "probabilities": probabilities,
        "scores": scores,
        "unlike": bool(prediction.outside),
        "reasons": list(prediction.outside),
    }


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen: {error.strerror or error}; give another --port, or 0 for a "
            "free one"
        ) from error


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _above_zero(name: str, value: float) -> float:
    if not 0 < real(name, value, "a number above 0") <= 10_000:
        raise ConfigError(f"--{name.replace('_', '-')} {value:g}: give a number above 0, at most 10000")
    return float(value)
