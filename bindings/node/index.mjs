import rouet from './index.js';

export const { Pool, RouetError, version, backend } = rouet;
