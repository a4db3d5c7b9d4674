"""What a radar makes of it: passes, geometry, brightness, weather, speckle."""
