// Renders {"template": …, "messages": …} from stdin with Go's text/template, handing over what Ollama hands over:
// Messages with Role and Content, System, and an empty Response; a missing key is empty.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

type message struct {
	Role    string
	Content string
}

func main() {
	var given struct {
		Template string
		Messages []*message
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		log.Fatal(err)
	}
	parsed, err := template.New("").Option("missingkey=zero").Parse(given.Template)
	if err != nil {
		log.Fatal(err)
	}
	var system []string
	for _, one := range given.Messages {
		if one.Role == "system" {
			system = append(system, one.Content)
		}
	}
	values := map[string]any{"Messages": given.Messages, "System": strings.Join(system, "\n\n"), "Response": ""}
	if err := parsed.Execute(os.Stdout, values); err != nil {
		log.Fatal(err)
	}
}
