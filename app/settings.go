package app

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// Setting is one setting as `techmart config` shows it.
type Setting struct{ Name, Value, Origin, Doc string }

// Settings gives all settings in the order of the struct, secrets masked.
func (c Config) Settings() []Setting {
	var list []Setting
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag := f.Tag.Get("env")
		if tag == "" {
			continue
		}
		value := written(v.FieldByIndex(f.Index).Interface())
		if f.Tag.Get("secret") != "" {
			value = masked(value)
		}
		origin := c.origins[Prefix+tag]
		switch {
		case origin == "" && value == "":
			origin = "not set"
		case origin == "":
			origin = "default"
		}
		list = append(list, Setting{Name: Prefix + tag, Value: value, Origin: origin, Doc: f.Tag.Get("doc")})
	}
	return list
}

// Environ gives, in the form of os.Environ, all settings that have other values than the defaults,
// secrets included: another process with them runs against the same servers.
func (c Config) Environ() []string {
	var list []string
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) {
		if name := Prefix + f.Tag.Get("env"); c.origins[name] != "" {
			list = append(list, name+"="+written(v.FieldByIndex(f.Index).Interface()))
		}
	}
	return list
}

// written gives a value as it stands in the environment.
func written(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case []time.Duration:
		texts := make([]string, len(v))
		for i, d := range v {
			texts[i] = written(d)
		}
		return strings.Join(texts, ",")
	case time.Duration:
		text := v.String()
		if cut, ok := strings.CutSuffix(text, "m0s"); ok {
			text = cut + "m"
		}
		if cut, ok := strings.CutSuffix(text, "h0m"); ok {
			text = cut + "h"
		}
		return text
	}
	return fmt.Sprint(value)
}

// masked hides a secret; of an URL only the password and the query, which may hold one.
func masked(value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && !strings.HasSuffix(value, ":") {
		return "***"
	}
	u.RawQuery = ""
	return u.Redacted()
}
