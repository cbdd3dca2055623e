package verify

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

// wouldWait is the code of a question that was not answered yet. It leaves this package in no verdict.
const wouldWait Code = ""

const (
	batchPatience = 2 * time.Second // all questions of a batch together wait so long for their limits
	batchWorkers  = 64              // questions of a batch that wait at the same time
)

// Batch answers several questions in their order. Each stands alone: one that cannot be judged is Unavailable and has
// cost nothing. Answers from memory are those of Check. From the first question on whose limits are in another store,
// the rest is asked without waiting, which has their claims settled together; then the incomplete ones wait at the
// same time. The zero Batch is ready, and may be used again.
type Batch struct {
	engine    *Engine
	questions []Question
	next      int
	now       Verdict
	ahead     []Verdict // of the last questions, where they had to be answered before they are told
}

// Begin takes the questions, which must not change before the last answer.
func (b *Batch) Begin(e *Engine, questions []Question) { *b = Batch{engine: e, questions: questions} }

// Next answers the next question; the verdict holds until the next call. It must be called once for each question.
func (b *Batch) Next() *Verdict {
	i := b.next
	b.next++
	if first := len(b.questions) - len(b.ahead); i >= first {
		return &b.ahead[i-first]
	}
	if b.try(i, &b.now) {
		return &b.now
	}
	b.answerFrom(i)
	return &b.ahead[0]
}

// try answers a question from memory. A single question has nothing to wait together with.
func (b *Batch) try(i int, v *Verdict) bool {
	q := &b.questions[i]
	if len(b.questions) > 1 {
		q.wait = ratelimit.NoWait
	}
	b.engine.Check(q, v)
	q.wait = 0
	return v.Code != wouldWait
}

// answerFrom answers all questions from the i-th on, which would have to wait.
func (b *Batch) answerFrom(i int) {
	b.ahead = make([]Verdict, len(b.questions)-i)
	waiting := []int{i}
	for j := i + 1; j < len(b.questions); j++ {
		if !b.try(j, &b.ahead[j-i]) {
			waiting = append(waiting, j)
		}
	}
	began := b.engine.Look().elapsed
	var at atomic.Int64
	var workers sync.WaitGroup
	var broken atomic.Pointer[any]
	for range min(len(waiting), batchWorkers) {
		workers.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					broken.Store(&p)
				}
			}()
			for n := int(at.Add(1)) - 1; n < len(waiting); n = int(at.Add(1)) - 1 {
				q := &b.questions[waiting[n]]
				q.wait = max(batchPatience-(b.engine.Look().elapsed-began), time.Nanosecond)
				b.engine.Check(q, &b.ahead[waiting[n]-i])
				q.wait = 0
			}
		})
	}
	workers.Wait()
	if p := broken.Load(); p != nil { // the caller's goroutine is the one that answers a panic
		panic(*p)
	}
}
