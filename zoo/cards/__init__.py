"""The model cards that come with zoo, one YAML file each."""
