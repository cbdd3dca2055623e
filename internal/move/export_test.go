package move

// Unique is what move knows of unique columns.
var Unique = unique
