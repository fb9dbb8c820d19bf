"""What ships beside the code: the models, and the aerial photograph of the demo (NAIP, US public domain)."""
