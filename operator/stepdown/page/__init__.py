"""The status page itself: what its pods run. It knows nothing of policies or clusters, and no client of any."""
