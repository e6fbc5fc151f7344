"""The contract of a release: the fields of a row, the configurations, the editions."""
