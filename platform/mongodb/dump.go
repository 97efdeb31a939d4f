package mongodb

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	dumpBatch = 1000     // documents of one command
	maxBSON   = 16 << 20 // bytes of a document; the server's own bound
)

// Dump writes all documents of a collection one after the other, in the order of their ids: the form
// of mongodump's .bson files. Each document is whole; others go on writing meanwhile. It gives their number.
func Dump(ctx context.Context, c *mongo.Collection, w io.Writer) (n int, err error) {
	cursor, err := c.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(dumpBatch))
	if err != nil {
		return 0, fmt.Errorf("mongodb: dump %s: %w", c.Name(), err)
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		if _, err := w.Write(cursor.Current); err != nil {
			return n, fmt.Errorf("mongodb: dump %s: %w", c.Name(), err)
		}
		n++
	}
	if err := cursor.Err(); err != nil {
		return n, fmt.Errorf("mongodb: dump %s: %w", c.Name(), err)
	}
	return n, nil
}

// Restore adds the documents that Dump wrote to a collection without any of them. It gives their number.
func Restore(ctx context.Context, c *mongo.Collection, r io.Reader) (n int, err error) {
	in := bufio.NewReader(r)
	batch := make([]any, 0, dumpBatch)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if _, err := c.InsertMany(ctx, batch, options.InsertMany().SetOrdered(false)); err != nil {
			return fmt.Errorf("mongodb: restore %s: %w", c.Name(), err)
		}
		n += len(batch)
		batch = batch[:0]
		return nil
	}
	for {
		doc, err := readDocument(in)
		if errors.Is(err, io.EOF) {
			return n, flush()
		}
		if err != nil {
			return n, fmt.Errorf("mongodb: restore %s: %w", c.Name(), err)
		}
		if batch = append(batch, doc); len(batch) == dumpBatch {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
}

// readDocument reads one document. It fails with io.EOF where there is none.
func readDocument(in *bufio.Reader) (bson.Raw, error) {
	head, err := in.Peek(4)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head)
	if size < 5 || size > maxBSON {
		return nil, fmt.Errorf("a document of %d bytes cannot be", size)
	}
	doc := make(bson.Raw, size)
	if _, err := io.ReadFull(in, doc); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return doc, doc.Validate()
}
