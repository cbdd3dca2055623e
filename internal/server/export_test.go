package server

// CollectorPercent is for tests.
func CollectorPercent(live, keys int64) int { return collectorPercent(live, keys) }
