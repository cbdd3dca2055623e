package webhook_test

import (
	"os"
	"testing"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
