package storecopy

// Unique exposes the list of unique columns.
var Unique = unique
