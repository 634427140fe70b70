// First, and at module scope: a headless start evaluates this file and shows no screen.
import './src/field';
import { registerRootComponent } from 'expo';
import { App } from './src/app';

registerRootComponent(App);
