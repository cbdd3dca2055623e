package storecopy

// Unique is what move knows of unique columns.
var Unique = unique
