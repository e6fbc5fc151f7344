"""The release folder and what is made of it: manifest, splits, bundle, figures; and the published release."""
