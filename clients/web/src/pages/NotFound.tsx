import { Link } from 'wouter';
import { Empty } from '../components/basics';
import { useTitle } from '../lib/title';

/** For an address that leads nowhere. */
export function NotFound() {
  useTitle('Not found');
  return (
    <div className="narrow">
      <h1 className="sr-only">Not found</h1>
      <Empty title="There is nothing here">
        <p>
          It may have been sold out or renamed. <Link href="/">Back to the shop</Link>
        </p>
      </Empty>
    </div>
  );
}
