"""What a release is: the fields of a row, the configurations, the editions."""
