"""What a score means: by severity, subtype and SOH; learning curves."""
