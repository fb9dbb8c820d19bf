"""What ships beside the code: the default model, and the aerial photograph of the demo (NAIP, US public domain)."""
