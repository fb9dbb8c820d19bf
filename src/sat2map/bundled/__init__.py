"""What ships beside the code: the models, and the aerial photographs of the demo (NAIP, US public domain)."""
