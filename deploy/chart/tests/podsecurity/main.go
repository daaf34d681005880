// Podsecurity reads pod templates, one JSON document a line, and prints what Kubernetes' own evaluator has against each
// under the Pod Security Standard "restricted".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		fail(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	templates := bufio.NewScanner(os.Stdin)
	templates.Buffer(nil, 1<<20)
	for templates.Scan() {
		var template corev1.PodTemplateSpec
		if err := json.Unmarshal(templates.Bytes(), &template); err != nil {
			fail(err)
		}
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
		if result.Allowed {
			fmt.Println("restricted")
		} else {
			fmt.Println(result.ForbiddenDetail())
		}
	}
	if err := templates.Err(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "podsecurity:", err)
	os.Exit(1)
}
