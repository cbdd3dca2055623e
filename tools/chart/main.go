// Command chart renders a Helm chart as helm template does, and checks that Kubernetes would understand the result:
// every object is decoded strictly into the types of its API, so that a misspelt or misplaced field is an error.
//
//	go run -C tools/chart . -chart ../../deploy/helm/keyward -values my-values.yaml
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

func main() {
	chart := flag.String("chart", ".", "the chart's folder")
	values := flag.String("values", "", "a file of values")
	release := flag.String("release", "keyward", "the release's name")
	namespace := flag.String("namespace", "default", "the namespace")
	flag.Parse()
	text, err := render(*chart, *values, *release, *namespace)
	if err == nil {
		err = check(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
	fmt.Print(strings.Join(text, "---\n"))
}

// render gives the chart's objects as YAML, in the order of their files.
func render(dir, file, release, namespace string) ([]string, error) {
	c, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	given := map[string]any{}
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := yaml.UnmarshalStrict(raw, &given); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, given, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return nil, err
	}
	var objects []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for object := range strings.SplitSeq(files[name], "\n---\n") {
			if strings.TrimSpace(object) != "" {
				objects = append(objects, strings.Trim(object, "\n")+"\n")
			}
		}
	}
	return objects, nil
}

// check decodes every object strictly.
func check(objects []string) error {
	if err := monitoring.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	decoder := json.NewSerializerWithOptions(
		json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true},
	)
	var wrong []error
	for _, object := range objects {
		if _, kind, err := decoder.Decode([]byte(object), nil, nil); err != nil {
			wrong = append(wrong, fmt.Errorf("%v: %w\n%s", kind, err, object))
		}
	}
	return errors.Join(wrong...)
}
