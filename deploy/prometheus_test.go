package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/rig"
)

func TestTheAlertRulesFireOnWhatTheyAreForAndOtherwiseNot(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	rules, err := os.ReadFile("prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("prometheus/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(tests), `alertname="`+alert[1]+`"`) {
			t.Errorf("no test has %s fire", alert[1])
		}
	}
}

// expressions are all that the rules and the dashboard ask Prometheus, with the dashboard's variables filled in.
func expressions(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("grafana/keyward.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$job", "keyward")
	var all []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, fill.Replace(target.Expr))
		}
	}
	rules, err := os.ReadFile("prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(rules), -1) {
		all = append(all, m[1])
	}
	if len(all) < 40 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// metrics are the names of all that the product measures, with those that Prometheus derives from a histogram.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob("../internal/metrics/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(keyward_[a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
			names[m[1]+"_bucket"] = true
		}
	}
	return names
}

// A real Prometheus scrapes a real server: it takes every expression, and every name in them is one that the product
// gives out.
func TestPrometheusUnderstandsTheServerTheRulesAndTheDashboard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t))
	keyward := exec.Command(binary, "serve")
	keyward.Env = append(
		os.Environ(), "KEYWARD_ADDR="+server, "KEYWARD_DATABASE_URL=sqlite:"+filepath.Join(dir, "keyward.db"),
	)
	rig.StartProcess(t, keyward, filepath.Join(dir, "keyward.log"))

	rules, err := filepath.Abs("prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: ['%s']\nscrape_configs:\n"+
		"  - {job_name: keyward, static_configs: [{targets: ['%s']}]}\n", rules, server)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t))
	prometheus := exec.Command(
		"prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+at,
	)
	rig.StartProcess(t, prometheus, filepath.Join(dir, "prometheus.log"))
	ask := func(expr string) (samples int, err error) {
		res, err := http.Get("http://" + at + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			return 0, err
		}
		defer func() { _ = res.Body.Close() }()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return 0, err
		}
		var answer struct {
			Status, Error string
			Data          struct{ Result []any }
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return 0, fmt.Errorf("%w: %.200s", err, raw)
		}
		if answer.Status != "success" {
			return 0, fmt.Errorf("%s", answer.Error)
		}
		return len(answer.Data.Result), nil
	}
	rig.WaitFor(t, "the first scrape", func() error {
		n, err := ask(`up{job="keyward"} == 1 and on () keyward_replica_ready == 1`)
		if err != nil || n != 1 {
			return fmt.Errorf("%d, %v", n, err)
		}
		return nil
	})
	known := metrics(t)
	for _, expr := range expressions(t) {
		if _, err := ask(expr); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
		for _, name := range regexp.MustCompile(`keyward_[a-z_]+`).FindAllString(expr, -1) {
			if !known[name] {
				t.Errorf("%s: there is no metric %s", expr, name)
			}
		}
	}
	for _, healthy := range []string{"keyward_replica_ready", "process_open_fds{job=\"keyward\"}",
		"keyward_database_bytes"} {
		if n, err := ask(healthy); err != nil || n == 0 {
			t.Errorf("%s: %d samples, %v", healthy, n, err)
		}
	}
	if n, err := ask("ALERTS{alertstate=\"firing\"}"); err != nil || n != 0 {
		t.Errorf("%d alerts fire beside a healthy server, %v", n, err)
	}
}
