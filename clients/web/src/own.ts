/* The pages of a customer's own, in one file of the build. */
export { Account } from './pages/Account';
export { Checkout } from './pages/Checkout';
export { ForgotPassword } from './pages/ForgotPassword';
export { Order } from './pages/Order';
export { Orders } from './pages/Orders';
export { Register } from './pages/Register';
export { ResetPassword } from './pages/ResetPassword';
export { SignIn } from './pages/SignIn';
export { VerifyEmail } from './pages/VerifyEmail';
