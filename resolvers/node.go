package resolvers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
)

// maxNodes bounds the ids of one nodes field.
const maxNodes = 100

// A nodeFunc looks one thing up through a loader, under the viewer's rights. It fails with NOT_FOUND
// for what is not there or may not be known of.
type nodeFunc func(ctx context.Context, id uuid.UUID) (model.Node, error)

// nodeFuncs gives the look-ups of all domains by the prefix of the id.
func (r *Resolver) nodeFuncs() map[string]nodeFunc {
	r.nodesOnce.Do(func() {
		r.nodes = make(map[string]nodeFunc)
		for _, domain := range []map[string]nodeFunc{
			r.userNodes(), r.productNodes(), r.inventoryNodes(), r.reviewNodes(), r.cartNodes(),
			r.orderNodes(), r.returnNodes(), r.paymentNodes(), r.notificationNodes(), r.promotionNodes(), r.webhookNodes(),
		} {
			maps.Copy(r.nodes, domain)
		}
	})
	return r.nodes
}

// node looks one id up; nil for what is not there, may not be known of, or is no id at all.
func (r *Resolver) node(ctx context.Context, text string) (model.Node, error) {
	prefix := model.Prefix(text)
	find, known := r.nodeFuncs()[prefix]
	if !known {
		return nil, nil
	}
	id, err := model.ParseID(prefix, text)
	if err != nil {
		return nil, nil
	}
	n, err := find(ctx, id)
	switch errs.CodeOf(err) {
	case errs.NotFound, errs.Forbidden, errs.Unauthenticated:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Node answers Query.node.
func (q queryResolver) Node(ctx context.Context, id string) (model.Node, error) {
	return q.r.node(ctx, id)
}

// Nodes answers Query.nodes. The look-ups run side by side, so that their loaders gather them.
func (q queryResolver) Nodes(ctx context.Context, ids []string) ([]model.Node, error) {
	if len(ids) > maxNodes {
		return nil, errs.At(errs.BadInput, "Ask for at most 100 ids.", "ids")
	}
	nodes := make([]model.Node, len(ids))
	failures := make([]error, len(ids))
	var group sync.WaitGroup
	for i, id := range ids {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil { // a panic here would be out of the executor's reach
					failures[i] = fmt.Errorf("resolvers: node: panic: %v\n%s", p, debug.Stack())
				}
			}()
			nodes[i], failures[i] = q.r.node(ctx, id)
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	return nodes, nil
}
