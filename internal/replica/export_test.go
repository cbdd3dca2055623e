package replica

import "github.com/keyward/keyward/internal/keyfmt"

// Sight lets a test do the steps of a lookup one by one, and change something in between.
type Sight struct {
	r *Replica
	s snapshot
}

// BeginSteps is the first step of looking up a key under a digest that leads to it.
func (r *Replica) BeginSteps() *Sight {
	s := &Sight{r: r}
	s.s.texts = r.arena.texts()
	return s
}

// Look is the second, and tells whether there was something to look at.
func (s *Sight) Look(d keyfmt.Digest) bool {
	p := s.r.values.probe(nameOfDigest(&d))
	return s.r.read(p.next(), &s.s)
}

// Tell is the third, and Stands the fourth.
func (s *Sight) Tell(d keyfmt.Digest, v *View) bool { return s.r.fill(&s.s, &d, v) }

// Stands reports whether the result holds.
func (s *Sight) Stands() bool { return s.r.unchanged(&s.s) }
