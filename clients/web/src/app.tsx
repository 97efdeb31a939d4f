import { ApolloProvider } from '@apollo/client/react';
import { lazy, Suspense } from 'react';
import { Route, Router, Switch } from 'wouter';
import { Layout } from './components/Layout';
import { Skeleton } from './components/basics';
import { client } from './lib/client';
import { Cart } from './pages/Cart';
import { Category } from './pages/Category';
import { Home } from './pages/Home';
import { NotFound } from './pages/NotFound';
import { Product } from './pages/Product';
import { Search } from './pages/Search';

// What a visitor who looks around does not need is loaded when it is asked for.
const own = () => import('./own');
const Account = lazy(async () => ({ default: (await own()).Account }));
const Checkout = lazy(async () => ({ default: (await own()).Checkout }));
const ForgotPassword = lazy(async () => ({ default: (await own()).ForgotPassword }));
const Order = lazy(async () => ({ default: (await own()).Order }));
const Orders = lazy(async () => ({ default: (await own()).Orders }));
const Register = lazy(async () => ({ default: (await own()).Register }));
const ResetPassword = lazy(async () => ({ default: (await own()).ResetPassword }));
const SignIn = lazy(async () => ({ default: (await own()).SignIn }));
const VerifyEmail = lazy(async () => ({ default: (await own()).VerifyEmail }));

/** The whole shop. Its addresses are those that the links in e-mails have behind TECHMART_PUBLIC_URL. */
export function App() {
  return (
    <ApolloProvider client={client}>
      <Router base={import.meta.env.BASE_URL.replace(/\/$/, '')}>
        <Layout>
          <Suspense fallback={<Skeleton className="block" label="Loading" />}>
            <Switch>
              <Route path="/" component={Home} />
              <Route path="/search" component={Search} />
              <Route path="/c/:slug" component={Category} />
              <Route path="/p/:slug" component={Product} />
              <Route path="/cart" component={Cart} />
              <Route path="/checkout" component={Checkout} />
              <Route path="/orders" component={Orders} />
              <Route path="/orders/:number" component={Order} />
              <Route path="/account" component={Account} />
              <Route path="/sign-in" component={SignIn} />
              <Route path="/register" component={Register} />
              <Route path="/verify-email" component={VerifyEmail} />
              <Route path="/forgot-password" component={ForgotPassword} />
              <Route path="/reset-password" component={ResetPassword} />
              <Route component={NotFound} />
            </Switch>
          </Suspense>
        </Layout>
      </Router>
    </ApolloProvider>
  );
}
