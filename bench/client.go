package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A client sends GraphQL operations to one server.
type client struct {
	url  string
	http *http.Client
}

func newClient(base string) *client {
	return &client{url: base + "/graphql", http: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute, DisableCompression: true},
	}}
}

// An answer is what came back: the data, its size, and the calls to the servers behind it.
type answer struct {
	data  json.RawMessage
	bytes int
	calls string
}

// do runs an operation; out, if any, receives the data. A GraphQL error fails it.
func (c *client) do(ctx context.Context, token, query string, variables map[string]any, out any) (answer, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return answer{}, err
	}
	var envelope struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return answer{}, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	if len(envelope.Errors) > 0 {
		return answer{}, fmt.Errorf("status %d: %s", resp.StatusCode, envelope.Errors[0].Message)
	}
	if out != nil {
		if err := json.Unmarshal(envelope.Data, out); err != nil {
			return answer{}, err
		}
	}
	return answer{data: envelope.Data, bytes: len(raw), calls: resp.Header.Get("X-TechMart-Backend-Calls")}, nil
}
