package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode/utf8"
)

// wide measures the lines of a file, in characters. A line counts as 0 where a text stands that a break would cut: a
// raw literal of several lines, a tag of a field, or one literal of more than halfALine characters.
func wide(positions *token.FileSet, syntax *ast.File, source string) (all []Line) {
	const halfALine = 60
	text := map[int]bool{}
	ast.Inspect(syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if n.Tag != nil {
				text[positions.Position(n.Tag.Pos()).Line] = true
			}
		case *ast.BasicLit:
			first, last := positions.Position(n.Pos()).Line, positions.Position(n.End()).Line
			for line := first; line <= last && n.Kind == token.STRING && (first < last || len(n.Value) > halfALine); line++ {
				text[line] = true
			}
		}
		return true
	})
	for i, line := range strings.Split(source, "\n") {
		if !text[i+1] && !strings.HasPrefix(line, "//go:") {
			all = append(all, Line{Line: i + 1, Characters: utf8.RuneCountInString(line)})
		}
	}
	return all
}

// fulfilled are methods of interfaces of the standard library, which say what they do.
var fulfilled = []string{
	"String", "Error", "Unwrap", "Is", "GoString", "Format", "MarshalText", "MarshalJSON", "UnmarshalText",
	"UnmarshalJSON",
	"LogValue", "Close", "Read", "Write", "Len", "Less", "Swap", "ServeHTTP", "Hidden",
}

// nameless finds exported declarations without a comment that begins with their name. The comment of a group of
// declarations covers each of them.
func nameless(positions *token.FileSet, syntax *ast.File) (all []Line) {
	look := func(name *ast.Ident, comments ...*ast.CommentGroup) {
		if !name.IsExported() ||
			slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return names(c, name.Name) }) {
			return
		}
		all = append(all, Line{Line: positions.Position(name.Pos()).Line, Name: name.Name})
	}
	for _, d := range syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiver(d.Recv.List[0].Type).IsExported() && !slices.Contains(fulfilled, d.Name.Name) {
				look(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			if d.Lparen.IsValid() && d.Doc != nil {
				continue
			}
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					look(s.Name, s.Doc, d.Doc)
				case *ast.ValueSpec:
					if s.Comment == nil {
						look(s.Names[0], s.Doc, d.Doc)
					}
				}
			}
		}
	}
	return all
}

// names tells whether a comment begins with a name, or with an article and the name.
func names(comment *ast.CommentGroup, name string) bool {
	words := strings.Fields(comment.Text())
	if len(words) > 1 && slices.Contains([]string{"A", "An", "The"}, words[0]) {
		words = words[1:]
	}
	return len(words) > 0 && strings.HasPrefix(words[0], name)
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e
	}
	return ast.NewIdent("_")
}
