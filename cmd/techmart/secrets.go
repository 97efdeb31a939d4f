package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/techmart/techmart/services/users"
)

// secrets are made once for a data directory and used ever after, so that sessions and cursors
// survive a restart.
type secrets struct {
	TokenKeys    string `json:"tokenKeys"`
	CursorSecret string `json:"cursorSecret"`
}

// readSecrets reads the file, and makes it where it is missing.
func readSecrets(path string) (secrets, error) {
	var s secrets
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeSecrets(path)
	case err != nil:
		return s, fmt.Errorf("secrets: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.TokenKeys == "" || s.CursorSecret == "" {
		return s, fmt.Errorf("%s is damaged: delete it, and new secrets are made", path)
	}
	return s, nil
}

func newSecrets() secrets {
	return secrets{TokenKeys: users.GenerateKey(), CursorSecret: rand.Text() + rand.Text()}
}

func makeSecrets(path string) (secrets, error) {
	s := newSecrets()
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return s, fmt.Errorf("secrets: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return s, fmt.Errorf("secrets: %w", err)
	}
	return s, nil
}
