"""Training, applying and scoring classifiers."""
