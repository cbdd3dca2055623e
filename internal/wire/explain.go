package wire

// Explanation is the course of a verification, step by step in the order of the decision.
type Explanation struct {
	Verdict string          `json:"verdict"`
	Steps   []ExplainedStep `json:"steps"`
}

// ExplainedStep is one question of the decision: Code is the answer where it refuses.
type ExplainedStep struct {
	Code    string `json:"code"`
	Reached bool   `json:"reached"`
	Passed  bool   `json:"passed"`
	Why     string `json:"why"`
}
