package store

// Table is what a driver knows of one of its tables, for what treats rows alike whatever they mean.
type Table struct {
	Name    string
	Columns []string // in the order of their names
	Key     []string // the primary key, in its order
}
