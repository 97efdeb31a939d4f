package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

const orderUpdated = `subscription { orderUpdated { id status } }`

// follower hears of a customer's orders as a shop front does: by one subscription, open all the time.
type follower struct {
	mu      sync.Mutex
	settled map[string]string        // status by order, of those that nobody asked for yet
	asked   map[string]chan<- string // by order
	over    error                    // why nothing more is heard
	ended   chan struct{}
}

// follow subscribes until ctx ends.
func (c *client) follow(ctx context.Context, token string) (*follower, error) {
	body, err := json.Marshal(map[string]any{"query": orderUpdated})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: c.http.Transport}).Do(req) // without the deadline of a request
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: status %d", orderUpdated, resp.StatusCode)
	}
	f := &follower{settled: make(map[string]string), asked: make(map[string]chan<- string), ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		defer func() { _ = resp.Body.Close() }()
		f.over = f.listen(bufio.NewScanner(resp.Body))
	}()
	return f, nil
}

// listen reads server-sent events until the stream ends.
func (f *follower) listen(lines *bufio.Scanner) error {
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok || strings.TrimSpace(data) == "" {
			continue
		}
		var next struct {
			Data   struct{ OrderUpdated struct{ ID, Status string } }
			Errors []struct{ Message string }
		}
		if err := json.Unmarshal([]byte(data), &next); err != nil {
			return err
		}
		if len(next.Errors) > 0 {
			return fmt.Errorf("%s: %s", orderUpdated, next.Errors[0].Message)
		}
		if o := next.Data.OrderUpdated; o.Status != "PENDING" {
			f.mu.Lock()
			if asked, ok := f.asked[o.ID]; ok {
				asked <- o.Status
				delete(f.asked, o.ID)
			} else {
				f.settled[o.ID] = o.Status
			}
			f.mu.Unlock()
		}
	}
	return lines.Err()
}

// outcome gives the channel that gets the status of an order once it is not PENDING any more.
func (f *follower) outcome(id string) <-chan string {
	status := make(chan string, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.settled[id]; ok {
		status <- s
		delete(f.settled, id)
	} else {
		f.asked[id] = status
	}
	return status
}
