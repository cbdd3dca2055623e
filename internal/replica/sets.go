package replica

import "github.com/keyward/keyward/internal/perm"

// sets keeps each set of permissions once, under a number: a million keys share a handful. As in the store, a set stays
// when the last key with it has gone.
type sets struct {
	blocks  directory[[setsInBlock]perm.Set]
	numbers map[perm.Set]uint32 // the writers'
	last    perm.Set            // the one that was asked for last, whose number is known
	its     uint32
}

const setsInBlock = 256

// at gives a set. Its entry was written before its number was told, and never again.
func (s *sets) at(number uint32) perm.Set {
	return s.blocks.at(number / setsInBlock)[number%setsInBlock]
}

// number gives that of a set. For writers.
func (s *sets) number(set perm.Set) uint32 {
	if s.last == set && len(s.numbers) > 0 {
		return s.its
	}
	s.last = set
	s.its = s.numberOf(set)
	return s.its
}

func (s *sets) numberOf(set perm.Set) uint32 {
	if number, ok := s.numbers[set]; ok {
		return number
	}
	number := uint32(len(s.numbers))
	if number%setsInBlock == 0 {
		s.blocks.add(new([setsInBlock]perm.Set))
	}
	s.blocks.at(number / setsInBlock)[number%setsInBlock] = set
	s.numbers[set] = number
	return number
}
