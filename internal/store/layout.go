package store

// Table is a driver's description of one of its tables, for code that treats rows alike whatever they mean.
type Table struct {
	Name    string
	Columns []string // in the order of their names
	Key     []string // the primary key, in its order
}
