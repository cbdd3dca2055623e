package deploy_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/keyward/keyward/internal/rig"
)

// object is one rendered object, as far as the tests look.
type object struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Replicas *int
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
			Plain       map[string]string `yaml:",inline"`
		}
		PodSelector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		Ports []struct {
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []struct {
					Image string
					Env   []struct{ Name, Value string }
					Ports []struct {
						Name          string
						ContainerPort int `yaml:"containerPort"`
					}
					VolumeMounts []struct{ Name string } `yaml:"volumeMounts"`
				}
				Volumes []struct{ Name string }
			}
		}
	}
}

// render renders the chart with values, and has every object decoded strictly by the types of its API.
func render(t *testing.T, values string) ([]object, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(
		"go", "run", "-C", "../tools/chart", ".", "-chart", "../../deploy/helm/keyward", "-values", file, "-release", "prod",
	)
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, &said)
	}
	var all []object
	for d := yaml.NewDecoder(strings.NewReader(string(text))); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
}

const everything = `existingSecret: keyward
routes: |
  routes:
    - {method: GET, path: /status, public: true}
grpc: {enabled: true}
tls: {existingSecret: certificate}
metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}
autoscaling: {enabled: true}
image: {repository: registry.example/keyward, digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}
settings: {KEYWARD_TRUSTED_PROXIES: 10.0.0.0/8, KEYWARD_MAX_CONNECTIONS: 4000}
`

func TestTheChartIsWhatKubernetesWantsAndItsPartsFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values string
		kinds  []string
	}{
		"three nodes": {"existingSecret: keyward\n",
			[]string{"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount"}},
		"everything": {everything,
			[]string{"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Service",
				"Service", "ServiceAccount", "ServiceMonitor"}},
		"one node on SQLite": {"sqlite: {enabled: true}\n",
			[]string{"Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Service", "Service", "ServiceAccount"}},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := render(t, c.values)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, o := range all {
				kinds = append(kinds, o.Kind)
			}
			if slices.Sort(kinds); !slices.Equal(kinds, c.kinds) {
				t.Errorf("%v, want %v", kinds, c.kinds)
			}
			fit(t, all)
			start(t, all)
		})
	}
	for values, word := range map[string]string{
		"": "existingSecret", "existingSecret: keyward\nreplica: 3\n": "replica",
		"existingSecret: keyward\nsettings: {KEYWARD_addr: x}\n":       "KEYWARD_addr",
		"sqlite: {enabled: true}\nautoscaling: {enabled: true}\n":      "autoscaling",
		"existingSecret: keyward\nresources: {limit: {memory: 1Gi}}\n": "limit",
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v", values, err)
		}
	}
}

// deployment is the one among the objects.
func deployment(all []object) object {
	return all[slices.IndexFunc(all, func(o object) bool { return o.Kind == "Deployment" })]
}

// fit holds the objects against each other: who selects the pods selects them, and what is named is there.
func fit(t *testing.T, all []object) {
	t.Helper()
	d := deployment(all)
	pod := d.Spec.Template
	container := pod.Spec.Containers[0]
	var ports []string
	for _, p := range container.Ports {
		ports = append(ports, p.Name)
	}
	for _, o := range all {
		var selector map[string]string
		switch o.Kind {
		case "Deployment", "PodDisruptionBudget":
			selector = o.Spec.Selector.MatchLabels
		case "NetworkPolicy":
			selector = o.Spec.PodSelector.MatchLabels
		case "Service":
			selector = o.Spec.Selector.Plain
			for _, p := range o.Spec.Ports {
				if !slices.Contains(ports, p.TargetPort) {
					t.Errorf("service %s leads to the port %q, of %v", o.Metadata.Name, p.TargetPort, ports)
				}
			}
		default:
			continue
		}
		if len(selector) == 0 {
			t.Errorf("%s %s selects nothing", o.Kind, o.Metadata.Name)
		}
		for label, value := range selector {
			if pod.Metadata.Labels[label] != value {
				t.Errorf("%s %s selects %s=%s; the pods have %v", o.Kind, o.Metadata.Name, label, value, pod.Metadata.Labels)
			}
		}
	}
	for _, m := range container.VolumeMounts {
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
			t.Errorf("the volume %s is mounted and not there", m.Name)
		}
	}
}

// start starts a server with the environment of the rendered pod, its folders and ports replaced by some of this
// machine, and waits until it can verify.
func start(t *testing.T, all []object) {
	t.Helper()
	dir := t.TempDir()
	cert, key, _ := rig.Certificate(t)
	routes := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte("routes: [{method: GET, path: /status, public: true}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer(
		"/data/", dir+"/", "/etc/keyward/routes.yaml", routes, "/etc/keyward-tls/tls.crt", cert, "/etc/keyward-tls/tls.key",
		key,
	)
	env := []string{"PATH=" + os.Getenv("PATH"), "KEYWARD_DATABASE_URL=sqlite:" + filepath.Join(dir, "keyward.db")}
	for _, e := range deployment(all).Spec.Template.Spec.Containers[0].Env {
		value := here.Replace(e.Value)
		if strings.HasSuffix(e.Name, "_ADDR") {
			value = fmt.Sprintf("0.0.0.0:%d", rig.FreePort(t))
		}
		env = append(env, e.Name+"="+value)
	}
	server := exec.Command(binary, "serve")
	server.Env = env
	process := rig.StartProcess(t, server, filepath.Join(dir, "keyward.log"))
	rig.WaitFor(t, "the server of the pod", func() error {
		probe := exec.Command(binary, "health")
		probe.Env = env
		if out, err := probe.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s; the server said: %s", err, out, process.Log())
		}
		return nil
	})
	process.Kill()
}
