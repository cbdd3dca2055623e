package keywardtest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// T92: servers that have been stopped leave no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
