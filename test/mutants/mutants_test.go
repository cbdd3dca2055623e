package main

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every mutant of the lists applies to the code as it is, so that none is forgotten when a line changes.
func TestEveryMutantApplies(t *testing.T) {
	t.Parallel()
	all, err := readLists("lists")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Error("there is no mutant")
	}
	for _, m := range all {
		if _, err := m.apply("../.."); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

const sums = `== The sum is a difference
file sum.go
test . TestSum
-	return a + b
+	return a - b
== The sum forgets its second term, and the test asks for nothing else
file sum.go
test . TestZero
-	return a + b
+	return a + 0*b
== A line that is not there
file sum.go
test . TestSum
-	return a * b
+	return 0
== Text that does not compile
file sum.go
test . TestSum
-	return a + b
+	return "a"
== The program that a test builds subtracts
file sum.go
test . TestBuilt
-	return a + b
+	return a - b
== What a test builds does not compile
file sum.go
test . TestBuilt
-	return a + b
+	return "b"
== A test that is not there
file sum.go
test . TestNothing
-	return a + b
+	return 1
`

func TestASurvivorIsReportedAndAnUnsoundMutantIsNoDeath(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module example\n\ngo 1.26\n",
		"sum.go":      "package sum\n\nfunc Sum(a, b int) int {\n\treturn a + b\n}\n",
		"sum_test.go": "package sum\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif Sum(1, 2) != 3 {\n\t\tt.Fail()\n\t}\n}\n\nfunc TestZero(t *testing.T) {\n\tif Sum(1, 0) != 1 {\n\t\tt.Fail()\n\t}\n}\n",
		"cmd/main.go": "package main\n\nimport \"example\"\n\nfunc main() { println(sum.Sum(1, 2)) }\n",
		"built_test.go": "package sum\n\nimport (\n\t\"os/exec\"\n\t\"testing\"\n)\n\nfunc TestBuilt(t *testing.T) {\n\t" +
			"if out, err := exec.Command(\"go\", \"run\", \"./cmd\").CombinedOutput(); err != nil || string(out) != \"3\\n\" {\n\t\tt.Fatal(err, string(out))\n\t}\n}\n",
		filepath.Join("test", "mutants", "lists", "sum.txt"): sums,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err := run(t.Context(), root, options{part: "1/1", patience: time.Minute}, &out)
	if err == nil || strings.Contains(err.Error(), "is a difference") || strings.Contains(err.Error(), "subtracts") {
		t.Errorf("%v\n%s", err, &out)
	}
	for name, fate := range map[string]string{
		"is a difference": killed, "a test builds subtracts": killed, "forgets": survived, "not there": unsound,
		"Text that does not compile": unsound, "a test builds does not compile": unsound, "test that is not": unsound,
	} {
		found := false
		for line := range strings.SplitSeq(out.String(), "\n") {
			found = found || strings.Contains(line, fate) && strings.Contains(line, name)
		}
		if !found {
			t.Errorf("%s: want %s\n%s", name, fate, &out)
		}
	}
	var checked strings.Builder
	err = run(t.Context(), root, options{part: "1/1", patience: time.Minute, check: true}, &checked)
	if err == nil || err.Error() != "4 of 7 mutants are unsound" {
		t.Errorf("the check: %v\n%s", err, &checked)
	}
	for _, name := range []string{
		"A line that is not there", "Text that does not compile", "What a test builds does not compile",
		"A test that is not there",
	} {
		if !strings.Contains(checked.String(), name) {
			t.Errorf("the check does not name %q:\n%s", name, &checked)
		}
	}
	if err := run(t.Context(), root, options{part: "1/7", patience: time.Minute}, &out); err != nil {
		t.Errorf("the part with the killed one: %v", err)
	}
}

func TestTestsThatBuildTheCommandAreKnown(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]bool{
		"../../internal/acceptance": true, "../followers": true, "../../internal/control": false,
	} {
		if got := buildsCommand(dir); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
}

func TestTheListIsReadStrictly(t *testing.T) {
	t.Parallel()
	for text, word := range map[string]string{
		"file a.go\n":                                     "a name first",
		"== a\nfile a.go\n-x\n":                           "want file, test",
		"== a\ntest ./a TestA\n-x\n":                      "want file, test",
		"== a\nfile a.go\ntest ./a TestA\n":               "want file, test",
		"== a\nfile a.go\ntest ./a\n-x\n":                 "want test PACKAGE PATTERN",
		"== a\nfile a.go\ntest ./a TestA\n-x\nxy\n":       "want keeps, takes, with, file, test, - or +",
		"== a\nfile a.go\ntest ./a TestA\n-x\ntakes 3s\n": "want takes and more than 30s",
	} {
		if _, err := parse("l.txt", text); err == nil || !strings.Contains(err.Error(), word) ||
			!strings.HasPrefix(err.Error(), "l.txt:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Each promise has a mutant that breaks it, and so a test that notices.
func TestEveryPromiseHasAMutant(t *testing.T) {
	t.Parallel()
	promised, err := promises("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(promised) < 17 {
		t.Errorf("only %d promises are found: %q", len(promised), promised)
	}
	all, err := readLists("lists")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range unkept(promised, all) {
		t.Error(wrong)
	}
}

func TestAPromiseWithoutAMutantIsNamed(t *testing.T) {
	t.Parallel()
	list := []mutant{{name: "a", keeps: []string{"R1"}}, {name: "b", keeps: []string{"R3", "README: Strict"}}}
	got := strings.Join(unkept([]string{"R1", "R2", "README: Strict"}, list), "; ")
	if want := `no mutant keeps "R2"; b keeps "R3", which is no promise`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A hundred mutants at least break the packages that promise something, and each of these packages has some.
func TestEveryPackageThatPromisesHasMutants(t *testing.T) {
	t.Parallel()
	all, err := readLists("lists")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]int{"account": 0, "control": 0, "verify": 0, "replica": 0, "ratelimit": 0, "redislimit": 0,
		"lease":   0,
		"cluster": 0, "follow": 0, "store": 0, "strictjson": 0, "dataplane": 0}
	sum := 0
	for _, m := range all {
		room := path.Base(path.Dir(m.file))
		if _, named := rooms[room]; named {
			rooms[room]++
			sum++
		}
	}
	for room, n := range rooms {
		if n < 5 {
			t.Errorf("%s has %d mutants, want 5 or more", room, n)
		}
	}
	if sum < 100 {
		t.Errorf("%d mutants, want 100 or more: %v", sum, rooms)
	}
}
