"""From a build to what readers see."""
