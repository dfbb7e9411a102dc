"""Label Studio's REST API: the calls we need."""
