package usage

// Cell is a cell, for the test of its size.
type Cell = cell
