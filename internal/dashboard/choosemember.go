package dashboard

import (
	"cmp"
	"slices"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// mostOffered is how many members, keys or roles a list to choose from holds. Others are found by a search beside it.
const mostOffered = 100

// doFind shows a form again, with what a search found in its list.
const doFind = "find"

// finder is a search beside a list to choose from. It stands where the list does not hold everything.
type finder struct {
	Name  string // of the field
	Label string
	Word  string
	More  bool // the list does not hold everything
	Found int  // entries of the list, without a chosen one that the search does not find
	Do    string
	By    string // what the search looks at; "" is name, e-mail or id
}

// said tells what the list holds.
func (f finder) said(noun string) string {
	n := f.Found
	switch {
	case f.Word == "":
		return "The list holds the first " + many(n, noun) + ". Search by " + cmp.Or(f.By, "name, e-mail or id") +
			" for others."
	case n == 0:
		return "Nothing matches “" + f.Word + "”."
	case n >= mostOffered:
		return "More than " + number(mostOffered) + " match “" + f.Word + "”: narrow the search to see the rest."
	}
	return many(n, noun+" matches|"+noun+"s match") + " “" + f.Word + "”."
}

// wasField ends the name of the field with the word of the search that the page shows.
const wasField = "Was"

// finds tells whether a form asks for a search: by its button, or by Enter in a field with another word than before.
func (v *request) finds(fields ...string) bool {
	return v.form("do") == doFind || slices.ContainsFunc(fields, func(name string) bool {
		return v.form(name) != v.form(name+wasField)
	})
}

// offered lists members to choose from: the first ones or, with a word, those whose names hold it. The chosen one is
// always among them.
func (v *request) offered(f *finder, chosen string) (out []control.Member, err error) {
	ctx := v.r.Context()
	var more bool
	if f.Word == "" {
		var page control.Page
		out, page, err = v.d.Control.ListMembers(ctx, v.Caller, v.workspace(), control.Paging{Limit: mostOffered})
		more = page.NextCursor != ""
	} else {
		out, more, err = v.d.Control.FindMembers(ctx, v.Caller, v.workspace(), f.Word, mostOffered)
	}
	f.More = more || f.Word != ""
	f.Found = len(out)
	isChosen := func(m control.Member) bool { return string(m.User) == chosen }
	if err != nil || chosen == "" || slices.ContainsFunc(out, isChosen) {
		return out, err
	}
	switch one, err := v.d.Control.GetMember(ctx, v.Caller, v.workspace(), chosen); {
	case err == nil:
		return append(out, one), nil
	case fault.Is(err, fault.NotFound):
		return out, nil
	default:
		return nil, err
	}
}
