"""The live map: scenes in the browser and as tiles; draws nothing that `translate` would draw otherwise."""
