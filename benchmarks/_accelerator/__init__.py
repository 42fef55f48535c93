"""What a device makes of the sampler's gradients."""
