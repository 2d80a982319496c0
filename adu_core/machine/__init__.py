"""Files and devices of the machine that this runs on."""
