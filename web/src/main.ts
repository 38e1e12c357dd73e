import './app.css';
import './theme.svelte';
import { mount } from 'svelte';
import App from './App.svelte';
import { app } from './app.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no element with the id app');
app.start();
mount(App, { target });
