"""A gallery of several classes has images of every class, by the decision of the run, with maps for both classes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmark.evidence.decisions.decide import ABSTAINED, Decision
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.scores import MulticlassTestScores
from benchmark.evidence.thresholds.choice import Threshold
from reports.gallery.gallery import Gallery, Tile
from reports.gallery.multiclass import decided_by, decisions_of, images_per_group, select_images_of_classes
from reports.gallery.text import failures_head, sentences, subgroup_heads, subgroup_rows, subgroup_sentences
from tests.support.multiclass_galleries import abstention, argmax, made, names_of, run_with, scores_of
from tests.support.multiclass_stores import DIGITS, RADIOGRAPHS, on_test


def decided(scores: MulticlassTestScores) -> Labels:
    return np.argmax(scores.y_score, axis=1).astype(np.int64)


def tiles_of(gallery: Gallery, key: str) -> tuple[Tile, ...]:
    return next(group.tiles for group in gallery.groups if group.key == key)


@pytest.mark.parametrize(("classes", "count"), [(3, 6), (4, 4), (5, 5), (10, 10), (40, 10)])
def test_a_group_has_as_many_images_of_each_class_as_make_four_but_at_most_ten(classes: int, count: int) -> None:
    assert images_per_group(classes) == count


@pytest.mark.parametrize("facts", [RADIOGRAPHS, DIGITS], ids=["3 classes", "10 classes"])
def test_every_group_has_every_class_and_what_its_name_states(facts: object) -> None:
    scores = scores_of(facts, images=400)  # type: ignore[arg-type]
    called, count = decided(scores), len(scores.classes)
    groups = select_images_of_classes(scores, called, names_of(scores)).groups
    right = called == scores.y_true
    assert right[list(groups["correct"])].all()
    assert not right[[*groups["wrong"], *groups["certain"]]].any()
    for indices in groups.values():
        assert Counter(scores.y_true[list(indices)].tolist()) == dict.fromkeys(
            range(count), images_per_group(count) // count
        )
    explained = [place for indices in groups.values() for place in indices]
    assert len(explained) == len(set(explained))


def test_the_most_certain_wrong_have_the_highest_score_of_the_called_class() -> None:
    scores = scores_of()
    certain = select_images_of_classes(scores, decided(scores), names_of(scores)).groups["certain"]
    wrong = np.flatnonzero(decided(scores) != scores.y_true)
    for label in range(3):
        of_class = wrong[scores.y_true[wrong] == label]
        best = of_class[np.argsort(-scores.y_score[of_class].max(axis=1))[:2]]
        assert set(best.tolist()) <= set(certain)
    confidence = scores.y_score[list(certain)].max(axis=1)
    assert (np.diff(confidence) <= 0).all()


def test_the_nearest_have_the_smallest_difference_of_the_two_highest_scores() -> None:
    scores = scores_of()
    groups = select_images_of_classes(scores, decided(scores), names_of(scores)).groups
    ordered = np.sort(scores.y_score, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    for label in range(3):
        others = [i for i in np.flatnonzero(scores.y_true == label) if i not in groups["certain"]]
        assert set(sorted(others, key=lambda i: margin[i])[:2]) <= set(groups["nearest"])


def test_the_choice_does_not_depend_on_the_order_of_images() -> None:
    plain = scores_of()
    rounded = np.round(plain.y_score * 10) + 0.1
    scores = on_test(RADIOGRAPHS, plain.y_true.tolist(), rounded / rounded.sum(axis=1, keepdims=True))
    names, order = names_of(scores), np.random.default_rng(5).permutation(len(scores))
    other = on_test(RADIOGRAPHS, scores.y_true[order].tolist(), scores.y_score[order])
    first = select_images_of_classes(scores, decided(scores), names).groups
    second = select_images_of_classes(other, decided(other), [names[i] for i in order]).groups
    assert {k: [names[i] for i in v] for k, v in first.items()} == {
        k: [names[order[i]] for i in v] for k, v in second.items()
    }


def test_a_collapsed_model_fills_its_groups_from_the_classes_that_it_has() -> None:
    labels = [place % 3 for place in range(60)]
    scores = on_test(RADIOGRAPHS, labels, np.tile([0.1, 0.8, 0.1], (60, 1)))
    groups = select_images_of_classes(scores, decided(scores), names_of(scores)).groups
    assert {scores.y_true[i] for i in groups["correct"]} == {1}
    assert {scores.y_true[i] for i in groups["wrong"]} == {0, 2}
    assert [len(indices) for indices in groups.values()] == [6, 6, 6, 6]


def test_a_group_without_images_has_a_reason() -> None:
    labels = [place % 3 for place in range(60)]
    scores = on_test(RADIOGRAPHS, labels, np.eye(3)[labels])
    reasons = {group.key: group.reason for group in made(scores=scores).groups}
    assert reasons["certain"] == "no decision was wrong"
    assert reasons["wrong"] == "there are no other wrong decisions"
    assert reasons["correct"] is None


def test_captions_have_both_classes_where_the_call_is_wrong() -> None:
    scores = on_test(RADIOGRAPHS, [0, 1, 2], np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.25, 0.251, 0.499]]))
    gallery = made(scores=scores, with_maps=False)
    captions = {tile.name: tile.caption for group in gallery.groups for tile in group.tiles}
    assert captions["test/000.png"] == "Real: NORMAL  Pred: NORMAL  Score(NORMAL): 0.70 (next BACTERIA 0.20)"
    assert captions["test/001.png"] == "Real: BACTERIA  Pred: NORMAL  Score(NORMAL): 0.60 (true class 0.30)"
    (wrong,) = tiles_of(gallery, "certain")
    assert "BACTERIA, wrongly predicted as NORMAL with score 0.60; that of BACTERIA is 0.30." in wrong.alt
    assert wrong.brief == "BACTERIA, predicted as NORMAL, 0.60"


def test_right_decisions_have_no_second_class_in_the_caption() -> None:
    assert all("(" not in tile.caption.split("): ")[1] for tile in tiles_of(made(), "correct"))


def test_probabilities_have_as_many_decimals_as_it_takes_to_differ() -> None:
    scores = on_test(RADIOGRAPHS, [0, 1], np.array([[0.3999, 0.4001, 0.2], [0.1, 0.8, 0.1]]))
    (tile,) = tiles_of(made(scores=scores, with_maps=False), "certain")
    assert tile.caption == "Real: NORMAL  Pred: BACTERIA  Score(BACTERIA): 0.4001 (true class 0.3999)"


def test_wrong_calls_have_a_map_for_the_called_and_one_for_the_true_class() -> None:
    for group in made().groups:
        for tile in group.tiles:
            assert f"evidence for {tile.predicted} is strongest in the lower left" in tile.overlay_alt
            assert (tile.true_overlay is not None) == (not tile.right)
            if not tile.right:
                assert f"evidence for {tile.real} is strongest in the upper right" in tile.true_overlay_alt
                assert tile.true_overlay_uri is not None


def test_an_empty_map_names_its_class() -> None:
    tile = tiles_of(made(empty=True), "wrong")[0]
    assert tile.overlay_reason == f"empty map: nothing in conv3 supports {tile.predicted}"
    assert tile.true_overlay_reason == f"empty map: nothing in conv3 supports {tile.real}"
    assert tile.true_overlay is tile.true_overlay_uri is None


def test_images_without_a_decision_are_a_group_of_their_own() -> None:
    gallery, scores = made(abstention(0.6)), scores_of()
    open_ = {name for name, row in zip(names_of(scores), scores.y_score, strict=True) if row.max() < 0.6}
    for group in gallery.groups:
        for tile in group.tiles:
            assert (tile.name in open_) == tile.abstained == (group.key == "abstained")
    tile = tiles_of(gallery, "abstained")[0]
    assert (tile.predicted, tile.right, tile.verdict) == ("none", False, "undecided")
    assert tile.caption.startswith(f"Real: {tile.real}  Pred: none  Score(")
    assert "without a decision; the highest score is" in tile.alt
    assert "evidence for none" not in tile.overlay_alt
    assert "Decided by abstention below confidence 0.6." in sentences(gallery)[0]


def test_without_abstention_there_is_no_such_group() -> None:
    assert [group.key for group in made().groups] == ["correct", "wrong", "certain", "nearest"]


def test_decisions_are_those_of_the_run() -> None:
    scores = scores_of()
    at = Decision(
        "class_at",
        RADIOGRAPHS.classes,
        of_class="VIRUS",
        target="sensitivity",
        value=0.95,
        threshold=Threshold(0.05, "class_at"),
    )
    run = run_with(at)
    called = decisions_of(run, scores)
    assert (called[scores.y_score[:, 2] >= 0.05] == 2).all()
    assert (called != decided(scores)).any()
    gallery = made(at, scores)
    by_name = dict(zip(names_of(scores), called.tolist(), strict=True))
    assert all(t.predicted == scores.classes[by_name[t.name]] for g in gallery.groups for t in g.tiles)
    assert decided_by(run)[1] == "VIRUS at sensitivity 0.95, chosen on validation scores alone (threshold 0.05)"


def test_a_decision_that_was_not_chosen_is_for_the_highest_score_and_has_its_reason() -> None:
    nothing = Decision(
        "class_at",
        RADIOGRAPHS.classes,
        of_class="VIRUS",
        target="sensitivity",
        value=0.95,
        threshold=Threshold(None, "class_at", "validation has no VIRUS"),
        reason="validation has no VIRUS",
    )
    scores = scores_of()
    run = run_with(nothing)
    assert (decisions_of(run, scores) == decided(scores)).all()
    assert (decisions_of(run, scores) != ABSTAINED).all()
    assert decided_by(run)[1] == "highest score; nothing could be chosen on validation: validation has no VIRUS"


def test_the_introduction_explains_both_maps() -> None:
    text = " ".join(sentences(made()))
    assert "for the predicted class (second picture) from layer conv3" in text
    assert "the third picture has the map for the true class" in text
    assert "Decided by highest score. " in text
    assert "No Grad-CAM: the model was not kept." in sentences(made(with_maps=False))


def test_subgroups_have_the_recall_of_every_class() -> None:
    gallery = made()
    heads, rows = subgroup_heads(gallery), subgroup_rows(gallery)
    assert heads[3:-1] == ["accuracy", "recall of NORMAL", "recall of BACTERIA", "recall of VIRUS"]
    assert [len(row) for row in rows] == [len(heads)] * 2
    assert "recall of NORMAL " in rows[0][-1]
    assert "p " in rows[0][-1]
    assert "The recalls of a group are each compared with the other images" in subgroup_sentences(gallery)[0]
    assert subgroup_sentences(gallery)[-1] == "Not grouped: size is not known."
    assert failures_head(gallery) == "most certain wrong images: real class, predicted class, score"


def test_classes_without_a_test_are_counted_and_not_listed_one_by_one() -> None:
    rows = subgroup_rows(made(scores=scores_of(DIGITS, images=60), facts=DIGITS))
    assert all(row[-1].startswith("10 recalls without a test: too few images") for row in rows)


def test_failures_of_a_subgroup_are_its_most_certain_wrong_decisions() -> None:
    scores, gallery = scores_of(), made()
    assert gallery.subgroups is not None
    for group, tiles in zip(gallery.subgroups.groups, gallery.failures, strict=True):
        best = sorted(group.failures, key=lambda i: -scores.y_score[i].max())[:3]
        assert [tile.name for tile in tiles] == [names_of(scores)[i] for i in best]


def test_images_without_a_decision_are_no_failures_of_a_subgroup() -> None:
    gallery = made(abstention(0.6))
    assert not any(tile.abstained for tiles in gallery.failures for tile in tiles)


def test_the_rule_of_a_run_without_a_decision_is_the_highest_score() -> None:
    assert decided_by(run_with(argmax()))[1] == "highest score"
