console.log('field-day: nothing to show yet');
