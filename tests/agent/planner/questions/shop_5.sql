-- Fifth set over the demo shop, written blind.

-- count: how many Lumen products do we have in Beauty?
select count(*) from products where brand = 'Lumen' and category = 'Beauty';

-- count: how many orders did enterprise customers place in 2025?
select count(*) from orders o join customers c on c.id = o.customer_id where c.segment = 'enterprise' and o.order_date like '2025%';

-- count: total number of tickets about billing
select count(*) from support_tickets where category = 'billing';

-- count: how many orders were delivered to Canada in 2025?
select count(*) from orders where status = 'delivered' and shipping_country = 'Canada' and order_date like '2025%';

-- count: how many customers have an order over 1000?
select count(*) from customers c where exists (select 1 from orders o where o.customer_id = c.id and o.total_amount > 1000);

-- count: number of products with a price between 50 and 100
select count(*) from products where unit_price between 50 and 100;

-- count: how many units were sold in the Toys category in 2025?
select sum(i.quantity) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where p.category = 'Toys' and o.order_date like '2025%';

-- count: how many tickets have priority urgent and status open?
select count(*) from support_tickets where priority = 'urgent' and status = 'open';

-- count: how many orders per channel were cancelled?
select channel, count(*) from orders where status = 'cancelled' group by 1;

-- metric: how much revenue did we make from Electronics last year?
select sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and p.category = 'Electronics' and o.order_date like '2025%';

-- metric: revenue for Orbit in Q2 2026
select sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and p.brand = 'Orbit' and o.order_date >= '2026-04-01' and o.order_date < '2026-07-01';

-- metric: average shipping cost per order in Germany
select avg(shipping_cost) from orders where shipping_country = 'Germany';

-- metric: what is the average satisfaction of enterprise customers?
select avg(t.satisfaction) from support_tickets t join customers c on c.id = t.customer_id where c.segment = 'enterprise';

-- metric: total revenue of customer 42
select sum(total_amount) from orders where status <> 'cancelled' and customer_id = 42;

-- metric: sales of Kasa Headphones by month in 2025
select strftime('%Y-%m', o.order_date), sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and p.name = 'Kasa Headphones' and o.order_date like '2025%' group by 1;

-- metric: average basket value on weekends
null;

-- group: which brands have the most discontinued products?
select brand, count(*) n from products where discontinued = 1 group by 1 order by n desc limit 10;

-- group: number of active customers in each country
select country, count(*) from customers where is_active = 1 group by 1;

-- group: average number of days to close a ticket per category
select category, avg(julianday(closed_at) - julianday(opened_at)) from support_tickets group by 1;

-- group: payments by status and method
select status, method, count(*) from payments group by 1, 2;

-- group: revenue by customer city in Germany
select c.city, sum(o.total_amount) from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' and c.country = 'Germany' group by 1;

-- group: tickets by customer
select customer_id, count(*) from support_tickets group by 1;

-- group: units sold per product in May 2026
select i.product_id, sum(i.quantity) from order_items i join orders o on o.id = i.order_id where o.order_date >= '2026-05-01' and o.order_date < '2026-06-01' group by 1;

-- group: how is revenue distributed across segments?
null;

-- topn: top 5 countries by number of cancelled orders
select shipping_country, count(*) n from orders where status = 'cancelled' group by 1 order by n desc limit 5;

-- topn: which 10 customers have spent the most this year?
select customer_id, sum(total_amount) s from orders where status <> 'cancelled' and order_date >= '2026-01-01' group by 1 order by s desc limit 10;

-- topn: list the 5 best rated tickets
null;

-- topn: top 3 cities in Germany by number of customers
select city, count(*) n from customers where country = 'Germany' group by 1 order by n desc limit 3;

-- topn: the two most expensive Acme products
select id from products where brand = 'Acme' order by unit_price desc, id limit 2;

-- topn: 3 channels with the highest average order value
select channel, avg(total_amount) a from orders where status <> 'cancelled' group by 1 order by a desc limit 3;

-- superlative: which day in 2025 had the highest revenue?
select date(order_date), sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1 order by s desc limit 1;

-- superlative: what is our most expensive Sports product?
select id from products where category = 'Sports' order by unit_price desc limit 1;

-- superlative: which enterprise customer has the most orders?
select c.id, count(*) n from orders o join customers c on c.id = o.customer_id where c.segment = 'enterprise' group by 1 order by n desc, 1 limit 1;

-- superlative: which product has the lowest margin?
null;

-- superlative: smallest order of customer 42
select id from orders where customer_id = 42 order by total_amount, id limit 1;

-- superlative: in which country do we have the most inactive customers?
select country, count(*) n from customers where is_active = 0 group by 1 order by n desc limit 1;

-- superlative: what was the busiest month in 2025?
null;

-- trend: number of returned orders per quarter
select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3), count(*) from orders where status = 'returned' group by 1;

-- trend: average satisfaction per quarter in 2025
select strftime('%Y', opened_at) || '-Q' || ((cast(strftime('%m', opened_at) as integer) + 2) / 3), avg(satisfaction) from support_tickets where opened_at like '2025%' group by 1;

-- trend: how many customers signed up per week in May 2026?
select date(signup_date, 'weekday 0', '-6 days'), count(*) from customers where signup_date >= '2026-05-01' and signup_date < '2026-06-01' group by 1;

-- trend: monthly units sold of Acme products in 2025
select strftime('%Y-%m', o.order_date), sum(i.quantity) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where p.brand = 'Acme' and o.order_date like '2025%' group by 1;

-- trend: revenue by month for Germany and France in 2025
null;

-- period: number of orders between 1 January 2025 and 15 January 2025
select count(*) from orders where order_date >= '2025-01-01' and order_date < '2025-01-16';

-- period: tickets opened in the last 14 days
select id from support_tickets where opened_at >= '2026-06-16';

-- period: average order value in the first half of 2026
select avg(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' and order_date < '2026-07-01';

-- period: revenue during Christmas 2025
null;

-- period: revenue in 2025 through March
null;

-- anti: customers from Spain who never ordered
select id from customers c where country = 'Spain' and not exists (select 1 from orders o where o.customer_id = c.id);

-- anti: which Acme products were not sold in 2026?
select id from products p where brand = 'Acme' and not exists (select 1 from order_items i join orders o on o.id = i.order_id where i.product_id = p.id and o.order_date >= '2026-01-01');

-- anti: customers who ordered but never opened a ticket
select id from customers c where exists (select 1 from orders o where o.customer_id = c.id) and not exists (select 1 from support_tickets t where t.customer_id = c.id);

-- anti: customers with orders but without tickets
select id from customers c where exists (select 1 from orders o where o.customer_id = c.id) and not exists (select 1 from support_tickets t where t.customer_id = c.id);

-- anti: delivered orders without a captured payment
select id from orders o where status = 'delivered' and not exists (select 1 from payments p where p.order_id = o.id and p.status = 'captured');

-- having: customers with more than 2 returned orders
select customer_id from orders where status = 'returned' group by 1 having count(*) > 2;

-- having: products that were bought by more than 100 customers
select i.product_id from order_items i join orders o on o.id = i.order_id group by 1 having count(distinct o.customer_id) > 100;

-- having: countries with fewer than 500 orders in 2025
select shipping_country, count(*) from orders where order_date like '2025%' group by 1 having count(*) < 500;

-- having: customers whose total spend exceeds 8000
select customer_id from orders where status <> 'cancelled' group by 1 having sum(total_amount) > 8000;

-- having: orders with at least 5 different products
select order_id from order_items group by 1 having count(distinct product_id) >= 5;

-- distinct: number of different cities with enterprise customers
select count(distinct city) from customers where segment = 'enterprise';

-- distinct: how many customers bought Books?
select count(distinct o.customer_id) from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where p.category = 'Books';

-- distinct: which payment methods were used in 2024?
select distinct method from payments where paid_at like '2024%';

-- share: what percentage of revenue comes from the mobile app?
select 100.0 * sum(case when channel = 'mobile app' then total_amount end) / sum(total_amount) from orders where status <> 'cancelled';

-- share: share of enterprise customers by country
null;

-- share: percentage of orders with a ticket
select 100.0 * sum(exists (select 1 from support_tickets t where t.order_id = o.id)) / count(*) from orders o;

-- share: proportion of units sold by category
select p.category, 100.0 * sum(i.quantity) / (select sum(quantity) from order_items) from order_items i join products p on p.id = i.product_id group by 1;

-- ratio: ratio of web orders to store orders in 2025
select 1.0 * sum(channel = 'web') / sum(channel = 'store') from orders where order_date like '2025%';

-- running: cumulative revenue by day in June 2026
select d, sum(s) over (order by d) from (select date(order_date) d, sum(total_amount) s from orders where status <> 'cancelled' and order_date >= '2026-06-01' and order_date < '2026-07-01' group by 1);

-- growth: how fast did the number of customers grow per year?
null;

-- growth: yearly growth of units sold
with y as (select cast(strftime('%Y', o.order_date) as integer) y, sum(i.quantity) s from order_items i join orders o on o.id = i.order_id group by 1) select a.y, a.s, 100.0 * (a.s - b.s) / b.s from y a join y b on a.y = b.y + 1;

-- nested: average number of items per order by channel
select channel, avg(n) from (select o.channel, o.id, sum(i.quantity) n from order_items i join orders o on o.id = i.order_id group by 1, 2) group by 1;

-- nested: average number of tickets per enterprise customer
null;

-- list: customers from the United Kingdom with more than 3 orders
select c.id from customers c join orders o on o.customer_id = c.id where c.country = 'United Kingdom' group by 1 having count(*) > 3;

-- list: products launched in 2025 that are out of stock
select id from products where launched_on like '2025%' and stock_quantity = 0;

-- list: pending orders older than 30 days
null;

-- list: tickets with low satisfaction
null;

-- list: tickets with satisfaction 1
select id from support_tickets where satisfaction = 1;

-- list: tickets with a satisfaction of at least 4 from customers in Portugal
select t.id from support_tickets t join customers c on c.id = t.customer_id where t.satisfaction >= 4 and c.country = 'Portugal';

-- list: orders shipped to the United States via the store channel
select id from orders where shipping_country = 'United States' and channel = 'store';

-- list: products of brand Kasa in category Electronics
select id from products where brand = 'Kasa' and category = 'Electronics';

-- list: which customers returned something in 2026?
select distinct customer_id from orders where status = 'returned' and order_date >= '2026-01-01';

-- lookup: what is the category and brand of Kasa Headphones?
select category, brand from products where name = 'Kasa Headphones';

-- lookup: total of order 99
select total_amount from orders where id = 99;

-- lookup: how many orders does customer 17 have?
select count(*) from orders where customer_id = 17;

-- lookup: channel and status of order 42
select channel, status from orders where id = 42;

-- lookup: tickets for order 10
select id from support_tickets where order_id = 10;

-- minmax: most expensive and cheapest product price
select max(unit_price), min(unit_price) from products;

-- minmax: when was the latest order from Japan?
select max(order_date) from orders where shipping_country = 'Japan';

-- minmax: highest revenue in a month
select sum(total_amount) s from orders where status <> 'cancelled' group by strftime('%Y-%m', order_date) order by s desc limit 1;

-- bool: how many customers are inactive and opted in to marketing?
select count(*) from customers where is_active = 0 and marketing_opt_in = 1;

-- negated: products that are not from Acme
select id from products where brand <> 'Acme';

-- negated: customers who are neither from Germany nor from France
null;

-- negated: revenue without Germany
select sum(total_amount) from orders where status <> 'cancelled' and shipping_country <> 'Germany';

-- null: closed tickets without satisfaction
select id from support_tickets where status = 'closed' and satisfaction is null;

-- like: products with a name starting with 'Acme D'
select id from products where name like 'Acme D%';

-- compare: is revenue higher in Germany or in France?
select shipping_country, sum(total_amount) n from orders where status <> 'cancelled' and shipping_country in ('Germany', 'France') group by 1 order by n desc limit 1;

-- compare: number of customers in Italy compared to Spain
select country, count(*) from customers where country in ('Italy', 'Spain') group by 1;

-- compare: compare revenue in Q1 2026 and Q1 2025
select strftime('%Y', order_date) || '-Q1', sum(total_amount) from orders where status <> 'cancelled' and ((order_date >= '2026-01-01' and order_date < '2026-04-01') or (order_date >= '2025-01-01' and order_date < '2025-04-01')) group by 1;

-- refuse: what do customers say about delivery?
null;

-- refuse: summarize the tickets of customer 12
null;

-- refuse: who is responsible for order 118?
null;

-- refuse: what is the meaning of life?
null;

-- refuse: send me a report every Monday
null;

-- refuse: grant me access to payments
null;

-- refuse: how many products will be out of stock next week?
null;

-- refuse: revenue by age group
null;

-- refuse: customers with the best credit score
null;

-- refuse: orders by delivery time
null;
