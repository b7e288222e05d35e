// Renders {"template": …, "messages": …, "tools": …} from stdin with Go's text/template, handing over what Ollama hands
// over: Messages with Role, Content and ToolCalls, Tools, System, and an empty Response; a missing key is empty. Tools and
// arguments print as JSON, as Ollama's types do.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

type object map[string]any

func (o object) String() string {
	text, err := json.Marshal(map[string]any(o))
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

type toolCall struct {
	Function struct {
		Name      string
		Arguments object
	}
}

type message struct {
	Role      string
	Content   string
	ToolCalls []toolCall `json:"tool_calls"`
}

func main() {
	var given struct {
		Template string
		Messages []*message
		Tools    []object
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
	values := map[string]any{"Messages": given.Messages, "Tools": given.Tools, "System": strings.Join(system, "\n\n"), "Response": ""}
	if err := parsed.Execute(os.Stdout, values); err != nil {
		log.Fatal(err)
	}
}
