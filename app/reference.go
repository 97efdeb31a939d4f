package app

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// WriteReference writes the reference of all settings as Markdown; docs/configuration.md is one.
func WriteReference(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "# Configuration\n"+
		"Every setting is a variable of the environment. `techmart config` shows the values in force and where\n"+
		"each comes from, with secrets masked, and all that is wrong with them. Times are written `15s`, `10m`,\n"+
		"`24h`. This page is made by `techmart config --markdown`.\n\n"+
		"| setting | default | meaning |\n|---|---|---|\n")
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name := f.Tag.Get("env")
		if name == "" {
			continue
		}
		value, meaning := f.Tag.Get("envDefault"), f.Tag.Get("doc")
		if value != "" {
			value = "`" + value + "`"
		}
		if f.Tag.Get("secret") != "" {
			meaning += " (secret)"
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", Prefix, name, value, strings.ReplaceAll(meaning, "|", `\|`))
	}
	return b.Flush()
}
